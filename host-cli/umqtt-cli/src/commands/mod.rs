//! The subcommands, one file each.

pub mod broker;
pub mod install;
pub mod ports;
pub mod run;
