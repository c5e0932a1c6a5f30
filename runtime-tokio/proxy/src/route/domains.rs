//! From an authority to a virtual host.

/// Longer authorities are no DNS names (RFC 1035 2.3.4) with a port: they match only `*`.
const LONGEST: usize = 255 + ":65535".len();

/// Domains of all virtual hosts; the values are places in the configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Domains {
    /// Sorted.
    exact: Vec<(Box<[u8]>, usize)>,
    /// `*suffix`, without the star, longest first.
    suffixes: Vec<OfLength>,
    /// `prefix*`, without the star, longest first.
    prefixes: Vec<OfLength>,
    /// `*`.
    any: Option<usize>,
}

/// Patterns of one length, sorted: one binary search instead of a comparison with each.
#[derive(Clone, Debug)]
struct OfLength {
    length: usize,
    patterns: Vec<(Box<[u8]>, usize)>,
}

impl Domains {
    pub(super) fn new<'a>(hosts: impl Iterator<Item = &'a [String]>) -> Self {
        let mut domains = Self::default();
        for (host, names) in hosts.enumerate() {
            for name in names {
                let name = name.to_ascii_lowercase();
                match (name.strip_prefix('*'), name.strip_suffix('*')) {
                    (Some(""), _) => domains.any = domains.any.or(Some(host)),
                    (Some(suffix), _) => add(&mut domains.suffixes, suffix, host),
                    (None, Some(prefix)) => add(&mut domains.prefixes, prefix, host),
                    (None, None) => domains.exact.push((name.into_bytes().into(), host)),
                }
            }
        }
        domains.exact.sort();
        for group in domains.suffixes.iter_mut().chain(&mut domains.prefixes) {
            group.patterns.sort();
        }
        domains.suffixes.sort_by_key(|group| std::cmp::Reverse(group.length));
        domains.prefixes.sort_by_key(|group| std::cmp::Reverse(group.length));
        domains
    }

    pub(super) fn find<'a>(&self, authority: impl FnOnce() -> &'a [u8]) -> Option<usize> {
        if self.exact.is_empty() && self.suffixes.is_empty() && self.prefixes.is_empty() {
            return self.any;
        }
        let authority = authority();
        let mut lower = [0; LONGEST];
        let Some(lower) = lower.get_mut(..authority.len()) else { return self.any };
        lower.copy_from_slice(authority);
        lower.make_ascii_lowercase();
        let lower = &*lower;
        search(&self.exact, lower)
            .or_else(|| longest(&self.suffixes, lower, |name, length| &name[name.len() - length..]))
            .or_else(|| longest(&self.prefixes, lower, |name, length| &name[..length]))
            .or(self.any)
    }
}

fn add(groups: &mut Vec<OfLength>, pattern: &str, host: usize) {
    let entry = (pattern.as_bytes().into(), host);
    match groups.iter_mut().find(|group| group.length == pattern.len()) {
        Some(group) => group.patterns.push(entry),
        None => groups.push(OfLength { length: pattern.len(), patterns: vec![entry] }),
    }
}

fn longest(groups: &[OfLength], name: &[u8], part: impl Fn(&[u8], usize) -> &[u8]) -> Option<usize> {
    groups
        .iter()
        .filter(|group| group.length < name.len())
        .find_map(|group| search(&group.patterns, part(name, group.length)))
}

fn search(sorted: &[(Box<[u8]>, usize)], name: &[u8]) -> Option<usize> {
    let found = sorted.binary_search_by(|(pattern, _)| (**pattern).cmp(name)).ok()?;
    sorted.get(found).map(|(_, host)| *host)
}
