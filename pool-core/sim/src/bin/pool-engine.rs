//! Runs one engine: `pool-engine table|walk|model` or `pool-engine search PLAN`. Fails with the law that
//! is broken, if one is.

use std::process::ExitCode;

use pool_sim::engines::Engine;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (name, plan) = (arguments.next().unwrap_or_default(), arguments.next());
    let Some(engine) = Engine::named(&name, plan.as_deref()) else {
        eprintln!("usage: pool-engine table | walk | model | search PLAN");
        return ExitCode::from(2);
    };
    match engine.run() {
        Ok(()) => {
            println!("{engine}: nothing is broken");
            ExitCode::SUCCESS
        }
        Err(law) => {
            println!("{law}");
            ExitCode::FAILURE
        }
    }
}
