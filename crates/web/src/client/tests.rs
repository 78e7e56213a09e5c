//! Clients behind proxies, and those who pretend to be somebody else.

use super::*;

fn client(peer: &str, lines: &[&str], proxies: usize) -> Client {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(FORWARDED_FOR, line.parse().unwrap());
    }
    Client::of(peer.parse().unwrap(), &headers, proxies)
}

fn check(lines: &[&str], proxies: usize, expected: &str) {
    let expected = Client::at(expected.parse().unwrap());
    assert_eq!(client("10.0.0.1", lines, proxies), expected, "{lines:?}, {proxies} proxies");
}

#[test]
fn a_client_is_the_address_that_the_outermost_trusted_proxy_saw() {
    check(&["203.0.113.7"], 1, "203.0.113.7");
    check(&["203.0.113.7, 198.51.100.2"], 2, "203.0.113.7");
    check(&["203.0.113.7", "198.51.100.2"], 2, "203.0.113.7");
    check(&["203.0.113.7:4711"], 1, "203.0.113.7");
    check(&["[2001:db8::7]:4711"], 1, "2001:db8::7");
}

#[test]
fn a_client_that_invents_addresses_is_told_apart_by_its_own() {
    check(&["1.1.1.1, 2.2.2.2,203.0.113.7"], 1, "203.0.113.7");
    check(&["1.1.1.1", "203.0.113.7"], 1, "203.0.113.7");
    // Nothing in front adds an address, so all of them are invented.
    check(&["1.1.1.1"], 0, "10.0.0.1");
}

#[test]
fn without_an_address_from_a_proxy_the_peer_is_the_client() {
    check(&[], 1, "10.0.0.1");
    check(&["203.0.113.7"], 2, "10.0.0.1");
    for unreadable in ["", "unknown", "203.0.113.7, ", "203.0.113.7, _hidden"] {
        check(&[unreadable], 1, "10.0.0.1");
    }
}

#[test]
fn a_network_of_a_subscriber_is_one_client() {
    let of = |peer| client(peer, &[], 0);
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_ne!(of("203.0.113.7"), of("203.0.113.8"));
    assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
}
