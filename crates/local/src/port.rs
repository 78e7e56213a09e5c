//! Ports: a free one, or who has the one that is wanted.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use anyhow::Context as _;
use listeners::Protocol;
use pubsub::env::Misconfigured;

/// What listens on loopback answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(200);
/// Below the range from which Linux and macOS choose ports.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const PORTS_PER_PROCESS: u16 = 24;
/// The process that has port 5000 on macOS while AirPlay Receiver is on.
const AIRPLAY: &str = "ControlCenter";

/// `wanted`, or if that is 0 a free port of `host`.
///
/// # Errors
///
/// [`Misconfigured`] if it cannot be used; it names the process that has the port, if this user may
/// know.
pub fn free(wanted: u16, host: IpAddr) -> anyhow::Result<u16> {
    if wanted == 0 {
        return any(host).with_context(|| format!("no port of {host} is free"));
    }
    if is_answered(wanted) {
        return Err(in_use(wanted).into());
    }
    TcpListener::bind((host, wanted)).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => in_use(wanted),
        _ => Misconfigured(format!("cannot listen on {host}, port {wanted}: {error}")),
    })?;
    Ok(wanted)
}

/// A free port that nobody else is about to take.
///
/// A service listens some time after its port was chosen. Until then the operating system could
/// give a port of its own choice to another process or connection. So these are below its choices,
/// and each process that chooses begins elsewhere.
fn any(host: IpAddr) -> Option<u16> {
    static CHOSEN: AtomicU16 = AtomicU16::new(0);
    let count = u16::try_from(PORTS.len()).ok()?;
    let first = u16::try_from(std::process::id() % u32::from(count / PORTS_PER_PROCESS)).ok()?;
    (0..count).find_map(|_| {
        let chosen = CHOSEN.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (first * PORTS_PER_PROCESS).wrapping_add(chosen) % count;
        TcpListener::bind((host, port)).is_ok().then_some(port)
    })
}

/// Says that a port is in use, and by which process.
pub fn in_use(port: u16) -> Misconfigured {
    let by = match listeners::get_process_by_port(port, Protocol::TCP) {
        Ok(process) if process.name == AIRPLAY => {
            " by AirPlay Receiver: turn it off in the system settings".to_owned()
        }
        Ok(process) => format!(" by {} (process {}): stop it", process.name, process.pid),
        // The process of another user, or in a container.
        Err(_) => ": stop what listens there".to_owned(),
    };
    Misconfigured(format!("port {port} is in use{by}, or choose another port"))
}

/// Whether `localhost` leads to somebody else. On macOS a port of loopback can be taken although
/// another process has it on all addresses, and a browser would then reach either of the two.
fn is_answered(port: u16) -> bool {
    [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]
        .into_iter()
        .any(|host| TcpStream::connect_timeout(&(host, port).into(), ANSWER_TIMEOUT).is_ok())
}
