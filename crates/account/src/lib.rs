//! An AWS account on this machine, made from the files of a deployment. It is never deployed.

pub mod endpoint;

pub mod iam;

pub mod habits;

pub mod provision;

pub mod embedded;

pub mod wiretap;

pub mod ledger;

pub mod proxy;

pub mod filter;

pub mod resources;

pub mod dead_letters;
