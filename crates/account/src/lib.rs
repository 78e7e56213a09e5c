//! An AWS account on this machine, made from the files of a deployment. It never ships.

pub mod endpoint;

pub mod provision;

pub mod proxy;
