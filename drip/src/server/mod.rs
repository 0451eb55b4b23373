//! The roles: what runs until it is told to stop, and what prepares it.

pub(crate) mod anchors;
pub(crate) mod args;
pub(crate) mod config;
pub(crate) mod digest;
pub(crate) mod engines;
pub(crate) mod events;
pub(crate) mod house;
pub(crate) mod init;
pub(crate) mod outside;
pub(crate) mod progress;
mod remembered;
pub(crate) mod replay;
pub(crate) mod roles;
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod workers;
