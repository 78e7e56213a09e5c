//! Which client sent a request, for limits that each client has.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

#[cfg(test)]
mod tests;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// The bits of an IPv6 address that a provider gives to a subscriber, who can use all others.
const IPV6_NETWORK: u32 = 64;

/// A client, by its address. All addresses of an IPv6 network of 64 bits are one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl Client {
    /// The client of a request that came from `peer` through `proxies` proxies, each of which adds
    /// the address that it sees to the end of `X-Forwarded-For`.
    ///
    /// What stands further in front may be an invention of the client. Without enough addresses,
    /// or with one that cannot be read, the client is `peer`.
    pub fn of(peer: IpAddr, headers: &HeaderMap, proxies: usize) -> Self {
        let mut lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut forwarded =
            lines.by_ref().flat_map(|line| line.as_bytes().rsplit(|it| *it == b','));
        let first = proxies.checked_sub(1).and_then(|others| forwarded.nth(others));
        let address = first.and_then(|text| address(std::str::from_utf8(text).ok()?.trim()));
        Self::at(address.unwrap_or(peer))
    }

    fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> IPV6_NETWORK << IPV6_NETWORK;
                IpAddr::V6(network.into())
            }
            address => address,
        })
    }
}

/// An address, which some proxies write with a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|it| it.ip());
    text.parse().ok().or_else(with_port)
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    /// The client that [`serve`](crate::serve::serve) found. Without a connection, as in a test of
    /// a router, all requests are of one client.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let found = parts.extensions.get().copied();
        Ok(found.unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into())))
    }
}
