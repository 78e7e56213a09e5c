//! `local weather`: lets parts of AWS fail for a while, to watch what the system does.

use std::{process::ExitCode, time::Duration};

use account::{
    endpoint::region,
    provision::Target,
    proxy::{
        Way,
        part::{self, EVERYTHING},
        weather::{How, Weather},
    },
    resources,
};
use anyhow::Context as _;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::Client as Sqs;
use console::{http::Http, sky::Sky};
use jiff::SignedDuration;
use local::running::Running;
use pubsub::env::Misconfigured;

const FAIR: &str = "fair";

/// The options of `weather`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What the calls meet: fair, or 5xx, throttled, hanging, reset, answer-lost, denied, half or
    /// slow; without it, the weather is only printed
    #[arg(value_parser = read)]
    how: Option<Change>,
    /// What fails, or is fair again: everything; a service or an operation, such as SQS or
    /// SQS.ReceiveMessage; the name of a table, topic or queue, such as couponsTable; or
    /// deliveries; may be repeated [default: everything; fair: all of it]
    #[arg(long, value_name = "PART", requires = "how")]
    of: Vec<String>,
    /// Let SNS make this percentage of its deliveries twice
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "100", conflicts_with = "how")]
    copies: Option<u8>,
    /// For how long, such as 30s or 5m; at most a day
    #[arg(long = "for", value_name = "DURATION", default_value = "1m")]
    duration: SignedDuration,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Fair,
    Outage(Way),
}

fn read(name: &str) -> Result<Change, String> {
    match name {
        FAIR => Ok(Change::Fair),
        // What is not a connection of its own cannot refuse one.
        "refused" => Err("calls can be reset, and not refused".to_owned()),
        _ => name.parse().map(Change::Outage),
    }
}

/// Changes the weather of the running system, and prints it.
///
/// # Errors
///
/// [`Misconfigured`] if no system runs, its AWS endpoint is not its own, or there is no such part
/// or weather.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(Running { weather: Some(url), aws, .. }) = Running::find() else {
        return Err(Misconfigured(
            "nothing to change: start `cargo run -p local`, without AWS_ENDPOINT_URL".to_owned(),
        )
        .into());
    };
    let http = Http::default();
    let sky = Sky { http: &http, url: &url };
    let parts = parts(&args.of, aws).await?;
    let time = Duration::try_from(args.duration).context("--for is negative")?;
    let now = match (args.how, args.copies) {
        (None, None) => sky.now().await?,
        (Some(Change::Fair), _) => sky.end(&parts).await?,
        (Some(Change::Outage(way)), _) => {
            let everything = || vec![EVERYTHING.to_owned()];
            let parts = if parts.is_empty() { everything() } else { parts };
            let fails = |of| Weather { of, how: How::Fails(way), seconds: time.as_secs() };
            begin(sky, parts.into_iter().map(fails).collect()).await?
        }
        (None, Some(percent)) => begin(sky, vec![Weather::twice(percent, time.as_secs())]).await?,
    };
    if now.is_empty() {
        println!("fair weather");
    }
    now.iter().for_each(|weather| println!("{weather}"));
    Ok(ExitCode::SUCCESS)
}

/// The parts that a person named, as the proxy calls them.
async fn parts(named: &[String], aws: String) -> anyhow::Result<Vec<String>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let aws = Target::elsewhere(aws, region()).config().await;
    let there = resources::names(&DynamoDb::new(&aws), &Sns::new(&aws), &Sqs::new(&aws)).await?;
    let parts = named.iter().map(|name| part::named(name, &there).map_err(Misconfigured));
    Ok(parts.collect::<Result<_, _>>()?)
}

async fn begin(sky: Sky<'_>, weather: Vec<Weather>) -> anyhow::Result<Vec<Weather>> {
    weather.iter().try_for_each(Weather::check).map_err(Misconfigured)?;
    sky.begin(&weather).await
}
