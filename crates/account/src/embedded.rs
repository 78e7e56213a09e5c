//! An AWS account in this process: an endpoint with the resources of a deployment.

use deployment::Deployment;
use std::path::Path;

use crate::{
    endpoint::{self, Endpoint, Settings},
    provision::{Account, ENVIRONMENT, Target, provision_deployment},
};

/// An AWS account in this process. It is gone when this is dropped.
#[derive(Debug)]
pub struct EmbeddedAccount {
    /// The endpoint that answers for AWS.
    pub endpoint: Endpoint,
    /// How to reach it.
    pub target: Target,
    /// The resources in it.
    pub account: Account,
}

impl EmbeddedAccount {
    /// Starts an endpoint, and creates the resources of `deployment` in it.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](pubsub::env::Misconfigured) if the port is in use.
    pub async fn start(deployment: &Deployment, settings: &Settings) -> anyhow::Result<Self> {
        let endpoint = endpoint::start(settings).await?;
        let target = endpoint.target();
        let account = provision_deployment(deployment, &target).await?;
        Ok(Self { endpoint, target, account })
    }

    /// The same for the files of a deployment in `directory`, on a free port of loopback.
    ///
    /// # Errors
    ///
    /// [`Mistake`](deployment::Mistake) if a file is wrong.
    pub async fn of_files(directory: &Path) -> anyhow::Result<Self> {
        Self::of_files_with(directory, &Settings::loopback(0)).await
    }

    /// The same with other settings.
    ///
    /// # Errors
    ///
    /// As [`EmbeddedAccount::of_files`], and as [`EmbeddedAccount::start`].
    pub async fn of_files_with(directory: &Path, settings: &Settings) -> anyhow::Result<Self> {
        let deployment = deployment::read(directory, ENVIRONMENT)?;
        Self::start(&deployment, settings).await
    }
}
