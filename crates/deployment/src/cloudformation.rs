//! CloudFormation: stacks, their resources and the references between them. This module does not
//! depend on how a deployment's files are laid out.

pub mod stack;

pub mod template;

pub mod conditional;
pub mod conditions;

pub mod expression;
pub mod filter_policy;
pub mod policy;

pub mod references;

pub mod resolve;
