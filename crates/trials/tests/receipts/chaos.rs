//! Uploads while services are killed and calls fail: each receipt ends in one verdict.

use std::{collections::BTreeSet, env, sync::Arc};

use account::proxy::{Conditions, Plan};
use anyhow::Context as _;
use reqwest::Client;
use serde_json::Value;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{
    Outcome,
    sample::{Differences, LOOK_EVERY, Sample, TIMEOUT},
    textract::picture,
};

/// How many uploads there are, unless `UPLOADS` says otherwise.
const UPLOADS: usize = 40;
/// How many people send at once.
const AT_ONCE: usize = 8;
/// After how many answered uploads each service is killed, again and again.
const KILL_EVERY: usize = 20;

/// Sends a picture until it is answered, as a person does.
async fn send(http: Client, url: String, number: usize) -> anyhow::Result<Uuid> {
    let id = Uuid::now_v7();
    let kind = ["expense", "text", "wrong", "refused"][number % 4];
    let picture = picture(&format!("{kind} {number}"));
    let sent = async {
        loop {
            let put = http.put(format!("{url}/receipts/{id}")).body(picture.clone()).send().await;
            match put.map(|answer| answer.status().as_u16()) {
                Ok(200 | 201) => return Ok(id),
                Ok(status @ (400..=499)) if status != 408 => anyhow::bail!("{id}: {status}"),
                _ => sleep(LOOK_EVERY).await,
            }
        }
    };
    timeout(TIMEOUT, sent).await.with_context(|| format!("{id} was never answered"))?
}

#[tokio::test]
async fn every_receipt_ends_in_one_verdict_whatever_crashes() -> Outcome {
    let uploads = env::var("UPLOADS").map_or(Ok(UPLOADS), |uploads| uploads.parse())?;
    let conditions =
        Conditions { faults: Some(Plan { seed: 1, percent: 8 }), ..Conditions::default() };
    let differences = Differences {
        like_aws: Some(7),
        visibility: Some(3),
        conditions,
        ..Differences::default()
    };
    let mut sample = Sample::start(differences).await?;
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut sending = JoinSet::new();
    for number in 0..uploads {
        let (http, url, places) = (sample.http.clone(), sample.system.url.clone(), places.clone());
        sending.spawn(async move {
            let _place = places.acquire_owned().await?;
            send(http, url, number).await
        });
    }
    let (mut ids, mut kills) = (Vec::new(), 0);
    while let Some(sent) = sending.join_next().await {
        ids.push(sent??);
        if ids.len() % KILL_EVERY == 0 {
            for service in ["web", "scanner"] {
                sample.system.process(service)?.kill();
                let _ = sample.system.exited().await;
                sample.system.start_service(service)?;
                kills += 1;
            }
        }
    }
    sample.proxy.calm();
    sample.system.healthy().await?;
    let mut verdicts = [0, 0];
    for id in &ids {
        let receipt = sample.verdict(*id).await?;
        let accepted = receipt["verdict"]["accepted"].is_object();
        verdicts[usize::from(!accepted)] += 1;
        assert_eq!(receipt["id"], Value::from(id.to_string()));
    }
    assert_eq!(verdicts, [uploads / 2, uploads / 2], "accepted and rejected");
    assert_eq!(sample.drained().await?, 0, "dead letters");

    // Every receipt has its picture, and there is no other.
    let pictures: BTreeSet<_> = sample.pictures().await?.into_iter().collect();
    assert_eq!(pictures, ids.iter().map(Uuid::to_string).collect());
    println!("{uploads} receipts, {} pictures, {kills} kills", pictures.len());
    sample.system.stop().await
}
