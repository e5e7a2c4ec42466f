//! Which back end answers a request (reference.md section 4).
//!
//! Each grouping value has [`BACK_ENDS`] servers. A mailbox's home among them follows from its address.
//! With `X-PreferServerAffinity` a valid override cookie decides; else the anchor mailbox's home; else
//! the home of the mailbox acted for. A subscription lives on the server that answered its Subscribe.

use crate::ids::MailboxKey;

/// Servers of each grouping value: enough that two anchors seldom share one by luck.
pub const BACK_ENDS: u8 = 4;

/// The cookie that pins a client to a back end.
pub const OVERRIDE_COOKIE: &str = "X-BackEndOverrideCookie";

/// A back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BackEnd {
    /// The index of its grouping value.
    pub group: u16,
    /// Its index in the group.
    pub index: u8,
}

impl BackEnd {
    /// The back end that is home to a mailbox.
    pub fn home(mailbox: MailboxKey, group: u16) -> Self {
        let index = u8::try_from(mailbox.0 % u128::from(BACK_ENDS)).unwrap_or(0);
        Self { group, index }
    }

    /// Its host name in the simulated domain.
    pub fn host(self, domain: &str) -> String {
        format!("ex{}-{}.{domain}", self.group + 1, self.index + 1)
    }

    /// The cookie's value: `<server>~<number>`.
    pub fn cookie(self, domain: &str) -> String {
        format!("{}~{}", self.host(domain), 1_941_962_754_u32)
    }

    /// The back end of a cookie's value; `None` for a value that this server never gave.
    pub fn from_cookie(value: &str, domain: &str, groups: u16) -> Option<Self> {
        let (host, number) = value.trim().trim_matches('"').split_once('~')?;
        number.parse::<u32>().ok()?;
        let numbers = host.strip_prefix("ex")?.strip_suffix(domain)?.strip_suffix('.')?;
        let (group, index) = numbers.split_once('-')?;
        let group = group.parse::<u16>().ok()?.checked_sub(1).filter(|group| *group < groups)?;
        let index = index.parse::<u8>().ok()?.checked_sub(1).filter(|index| *index < BACK_ENDS)?;
        Some(Self { group, index })
    }
}

/// What a request says about where it wants to go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// `X-PreferServerAffinity: true`.
    pub prefers_affinity: bool,
    /// The value of the override cookie.
    pub cookie: Option<&'a str>,
    /// The home of the mailbox of `X-AnchorMailbox`, when that exists.
    pub anchor: Option<BackEnd>,
    /// The home of the mailbox acted for.
    pub target: Option<BackEnd>,
}

/// Where the request goes, and whether its answer sets the cookie (it does so once).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The back end that answers.
    pub back_end: BackEnd,
    /// The answer sets the override cookie.
    pub sets_cookie: bool,
}

/// Decides it.
pub fn route(wish: Wish<'_>, domain: &str, groups: u16) -> Route {
    if wish.prefers_affinity
        && let Some(back_end) = wish.cookie.and_then(|value| BackEnd::from_cookie(value, domain, groups))
    {
        return Route { back_end, sets_cookie: false };
    }
    let back_end = wish.anchor.or(wish.target).unwrap_or(BackEnd { group: 0, index: 0 });
    Route { back_end, sets_cookie: wish.prefers_affinity }
}

#[cfg(test)]
mod tests;
