//! `local weather`: lets a part of AWS fail for a while, to watch what the system does.

use std::{process::ExitCode, time::Duration};

use account::proxy::{
    Way,
    weather::{EVERYTHING, Weather},
};
use anyhow::Context as _;
use console::http::{ask, client};
use http_body_util::Full;
use hyper::{Method, Request, body::Bytes};
use jiff::SignedDuration;
use local::running::Running;
use pubsub::env::Misconfigured;

const FAIR: &str = "fair";
/// What runs on this machine answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The options of `weather`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What the calls meet: fair, or 5xx, throttled, hanging, reset, answer-lost, denied, half or
    /// slow; without it, the weather is only printed
    #[arg(value_parser = read)]
    how: Option<Sky>,
    /// What fails: everything; a service or an operation, such as SQS or SQS.ReceiveMessage; or the
    /// name of a table, topic or queue, such as couponsTable
    #[arg(long, value_name = "PART", default_value = EVERYTHING)]
    of: String,
    /// For how long, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", default_value = "1m")]
    duration: SignedDuration,
}

#[derive(Clone, Copy, Debug)]
enum Sky {
    Fair,
    Outage(Way),
}

fn read(name: &str) -> Result<Sky, String> {
    match name {
        FAIR => Ok(Sky::Fair),
        // What is not a connection of its own cannot refuse one.
        "refused" => Err("calls can be reset, and not refused".to_owned()),
        _ => name.parse().map(Sky::Outage),
    }
}

/// Changes the weather of the running system, or prints it.
///
/// # Errors
///
/// [`Misconfigured`] if no system runs, or its AWS endpoint is not its own.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(Running { weather: Some(url), .. }) = Running::find() else {
        return Err(Misconfigured(
            "nothing to change: start `cargo run -p local`, without AWS_ENDPOINT_URL".to_owned(),
        )
        .into());
    };
    let (method, body) = match args.how {
        None => (Method::GET, Vec::new()),
        Some(Sky::Fair) => (Method::DELETE, Vec::new()),
        Some(Sky::Outage(how)) => {
            let time = Duration::try_from(args.duration).context("--for is negative")?;
            let weather = Weather { of: args.of, how, seconds: time.as_secs() };
            (Method::PUT, serde_json::to_vec(&weather)?)
        }
    };
    let request = Request::builder().method(method).uri(url).body(Full::<Bytes>::from(body))?;
    let (status, text) = ask(&client(), request, ANSWER_TIMEOUT).await?;
    anyhow::ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&text));
    match serde_json::from_slice::<Option<Weather>>(&text).context("reading the weather")? {
        Some(weather) => println!("{weather}"),
        None => println!("fair weather"),
    }
    Ok(ExitCode::SUCCESS)
}
