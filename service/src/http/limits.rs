//! What a listener lets in, and how often it tells of what it refuses. Pure.
//!
//! Whoever opens connections without end may take [`Limits::per_peer`] of them, so that others still get in; and of what
//! is refused one line of the log tells every [`TOLD_EVERY`], however much there is of it, so that an attack does not
//! bury the rest.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use base::EventCode;
use calendar::codes;

#[cfg(test)]
mod tests;

/// How often one kind of refusal is told at most.
pub(crate) const TOLD_EVERY: Duration = Duration::from_secs(10);
/// The bits of an IPv6 address that stand for one peer: who has one address has the rest of its network as well.
const PEER_BITS_V6: u32 = 64;

/// What a listener bears.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at one time; one more is closed at once.
    pub(crate) connections: usize,
    /// Connections of one peer at one time.
    pub(crate) per_peer: usize,
    /// The time that a TLS handshake may take.
    pub(crate) handshake: Duration,
    /// The time in which the head of the request must arrive; also how long a connection may be silent.
    pub(crate) head: Duration,
    /// The time in which its body must arrive.
    pub(crate) body: Duration,
    /// How long a connection may last, whatever happens on it.
    pub(crate) whole: Duration,
    /// The largest head (request line and headers), in bytes.
    pub(crate) head_bytes: usize,
    /// Headers in it at most.
    pub(crate) headers: usize,
    /// Connections at the end of the process have this long.
    pub(crate) shutdown: Duration,
}

impl Limits {
    /// Those of every listener of the service.
    pub(crate) const USUAL: Self = Self {
        connections: 64,
        per_peer: 16,
        handshake: Duration::from_secs(5),
        head: Duration::from_secs(5),
        body: Duration::from_secs(5),
        whole: Duration::from_secs(60),
        head_bytes: 8 * 1024,
        headers: 64,
        shutdown: Duration::from_secs(2),
    };
}

/// Who connects: an address, or the network that an IPv6 address is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) => Self(v4),
            IpAddr::V6(v6) => {
                let network = v6.to_bits() & (u128::MAX << (128 - PEER_BITS_V6));
                Self(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/{PEER_BITS_V6}"),
        }
    }
}

/// Why nobody else is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// All places are taken.
    All,
    /// Those that one peer may have are taken by this one.
    Peer,
}

/// Who is in.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    all: usize,
    of: HashMap<Peer, usize>,
}

impl Crowd {
    /// Lets one more of `peer` in.
    pub(crate) fn enter(&mut self, peer: Peer, limits: &Limits) -> Result<(), Full> {
        if self.all >= limits.connections {
            return Err(Full::All);
        }
        let here = self.of.get(&peer).copied().unwrap_or(0);
        if here >= limits.per_peer {
            return Err(Full::Peer);
        }
        self.all += 1;
        self.of.insert(peer, here + 1);
        Ok(())
    }

    /// One of `peer` who was let in has left.
    pub(crate) fn leave(&mut self, peer: Peer) {
        let Some(here) = self.of.get_mut(&peer) else { return };
        *here -= 1;
        self.all -= 1;
        if *here == 0 {
            self.of.remove(&peer);
        }
    }
}

/// What a listener refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    /// A head that is too large, has too many headers, or is none.
    Head,
    /// A handshake, head or body that does not arrive in time, or an answer that is not taken.
    Slow,
    /// One connection too many.
    Full,
    /// A body that is too large.
    Body,
    /// A handshake without what is asked for: TLS 1.2 or 1.3, a certificate.
    Handshake,
    /// Wrong tokens, again and again.
    Guessing,
}

impl Attack {
    pub(crate) const ALL: [Self; 6] =
        [Self::Head, Self::Slow, Self::Full, Self::Body, Self::Handshake, Self::Guessing];

    /// The event that tells of it.
    pub(crate) const fn code(self) -> EventCode {
        match self {
            Self::Head => codes::HTTP_HEAD_REFUSED,
            Self::Slow => codes::HTTP_SLOW_CLOSED,
            Self::Full => codes::HTTP_CONNECTION_REFUSED,
            Self::Body => codes::HTTP_BODY_REFUSED,
            Self::Handshake => codes::HTTP_HANDSHAKE_REFUSED,
            Self::Guessing => codes::ADMIN_TOKEN_GUESSED,
        }
    }
}

/// Says when a refusal is to be told, and of how many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Teller {
    kinds: [Told; Attack::ALL.len()],
}

#[derive(Debug, Clone, Copy, Default)]
struct Told {
    last: Option<Instant>,
    since: u64,
}

impl Teller {
    /// One more of this kind at `now`: how many there were since the last that was told, if this one is to be told.
    pub(crate) fn observe(&mut self, attack: Attack, now: Instant) -> Option<u64> {
        let told = &mut self.kinds[attack as usize];
        told.since += 1;
        if told.last.is_some_and(|last| now.saturating_duration_since(last) < TOLD_EVERY) {
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.since))
    }
}
