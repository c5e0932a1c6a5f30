//! `Debug` of the face's types: their names, so that whatever holds one can be printed. What they hold
//! is behind a lock, or the caller's; [`Client::snapshot`] tells it.

use std::fmt;

use super::{Answered, Body, Builder, Call, Client, Keeper, RemakeBody, Upgraded};
use crate::runtime::{Connect, Runtime};

impl<R: Runtime, C: Connect, B> fmt::Debug for Client<R, C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<R: Runtime, C: Connect, B> fmt::Debug for Call<R, C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

impl<R: Runtime, C: Connect, B> fmt::Debug for Answered<R, C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interim(response) => f.debug_tuple("Interim").field(response).finish(),
            Self::Final(response) => f.debug_tuple("Final").field(&response.status()).finish(),
        }
    }
}

impl<R: Runtime, C: Connect, B> fmt::Debug for Body<R, C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl<R: Runtime, C: Connect> fmt::Debug for Upgraded<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

impl<R: Runtime, C: Connect, B> fmt::Debug for Keeper<R, C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl<R, C> fmt::Debug for Builder<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for RemakeBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemakeBody").finish_non_exhaustive()
    }
}
