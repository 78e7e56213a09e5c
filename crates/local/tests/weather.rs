//! `local weather`: parts of AWS fail for the running system, and work again.

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
fn several_parts_fail_at_once_and_each_recovers_by_itself() -> Outcome {
    let build = Build::new()?;
    let mut running = build.start()?;
    let two = ["throttled", "--of", "couponsTable", "--of", "orderStatus", "--for", "1h"];
    let printed = weather(&build, &two)?;
    assert_eq!(printed.lines().count(), 2, "{printed}");
    let id = order(&running.page, "120")?;
    running.wait_for(|line| line.contains("a dependency is unavailable"))?;
    let left = weather(&build, &["fair", "--of", "orderStatus"])?;
    assert!(left.starts_with("couponsTable is throttled for ") && left.lines().count() == 1);
    running.wait_for(|line| line.contains("AWS: fair weather again for orderStatus"))?;
    running.wait_for(|line| line.contains("order fulfilled") && line.contains(&id))?;
    assert!(!running.printed.iter().any(|line| line.contains("coupon granted")));
    assert_eq!(weather(&build, &["fair", "--of", "couponsTable"])?, "fair weather");
    running.wait_for(|line| line.contains("coupon granted") && line.contains(&id))?;
    assert!(running.stop()?.success());
    Ok(())
}

#[test]
fn copies_are_switched_on_and_off_while_it_runs() -> Outcome {
    let build = Build::new()?;
    let mut running = build.start()?;
    let twice = weather(&build, &["--copies", "--for", "1h"])?;
    assert_eq!(twice, "deliveries are made twice in 100 % of cases for 3600 s");
    let id = order(&running.page, "20")?;
    let fulfilled = |line: &str| line.contains("order fulfilled") && line.contains(&id);
    running.wait_for(fulfilled)?;
    // The copy is handled as a second attempt at the same order.
    running.printed.retain(|line| !fulfilled(line));
    running.wait_for(fulfilled)?;
    let some = weather(&build, &["--copies=20"])?;
    assert_eq!(some, "deliveries are made twice in 20 % of cases for 60 s");
    assert_eq!(weather(&build, &["fair", "--of", "deliveries"])?, "fair weather");
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
    for how in ["slow", "fair"] {
        let unknown = complaint(&[how, "--of", "couponTable"])?;
        assert!(unknown.contains("nothing is called \"couponTable\": there are everything"));
        assert!(unknown.contains(", couponsTable, ") && unknown.lines().count() == 1, "{unknown}");
    }
    assert!(complaint(&["slow", "--for", "25h"])?.contains("lasts from 1 to 86400 s"));
    assert!(complaint(&["--copies=101"])?.contains("101 is no percentage"));
    assert_eq!(weather(&build, &[])?, "fair weather");
    weather(&build, &["slow", "--of", "sqs", "--for", "1s"])?;
    running.wait_for(|line| line.contains("AWS: SQS is slow for 1 s"))?;
    running.wait_for(|line| line.contains("AWS: fair weather again"))?;
    assert_eq!(weather(&build, &[])?, "fair weather");
    assert!(running.stop()?.success());
    Ok(())
}
