//! `local weather`: a part of AWS fails for the running system, and works again.

use anyhow::Context as _;

mod running;

use running::{Build, Outcome, Running, order};

/// Runs `local weather` with these arguments, and returns what it prints.
fn weather(build: &Build, arguments: &[&str]) -> anyhow::Result<String> {
    let output = build.local().arg("weather").args(arguments).output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{complaint}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[test]
fn a_coupon_waits_for_the_end_of_the_weather_that_throttles_its_table() -> Outcome {
    let build = Build::new()?;
    let mut running = build.start()?;
    assert_eq!(weather(&build, &[])?, "fair weather");
    let throttled = weather(&build, &["throttled", "--of", "couponsTable", "--for", "1h"])?;
    assert_eq!(throttled, "couponsTable is throttled for 3600 s");
    running.wait_for(|line| line.contains("AWS: couponsTable is throttled for 3600 s"))?;
    let id = order(&running.page, "120")?;
    // Only the coupon waits.
    running.wait_for(|line| line.contains("a dependency is unavailable"))?;
    running.wait_for(|line| line.contains("order fulfilled") && line.contains(&id))?;
    assert!(!running.printed.iter().any(|line| line.contains("coupon granted")));

    assert_eq!(weather(&build, &["fair"])?, "fair weather");
    let fair = running.wait_for(|line| line.contains("AWS: fair weather again"))?;
    let met = fair.split("met ").nth(1).and_then(|it| it.split(' ').next()).context("no number")?;
    assert!(met.parse::<u64>()? > 0, "{fair}");
    running.wait_for(|line| line.contains("coupon granted") && line.contains(&id))?;
    assert!(running.stop()?.success());
    Ok(())
}

#[test]
fn weather_ends_in_time_and_a_wrong_one_is_one_sentence() -> Outcome {
    let build = Build::new()?;
    let complaint = |arguments: &[&str]| {
        let output = build.local().arg("weather").args(arguments).output()?;
        assert_eq!(output.status.code(), Some(64));
        anyhow::Ok(String::from_utf8(output.stderr)?)
    };
    assert!(complaint(&["5xx"])?.contains("start `cargo run -p local`"));
    let mut running: Running = build.start()?;
    assert!(complaint(&["rain"])?.contains("\"rain\" is none of 5xx, throttled"));
    weather(&build, &["slow", "--for", "1s"])?;
    running.wait_for(|line| line.contains("AWS: fair weather again"))?;
    assert_eq!(weather(&build, &[])?, "fair weather");
    assert!(running.stop()?.success());
    Ok(())
}
