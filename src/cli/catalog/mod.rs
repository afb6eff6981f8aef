//! `catalog`, `host`, `host-key`, `model`, `binding`, `policy`, `secret`: the catalog's rows, on disk.
//!
//! They work on the folder itself, so no daemon has to run; one that does has the change in force when they end, or they
//! say that it may not.

pub(crate) mod args;

mod columns;
mod ground;
mod row;
mod secret;
mod sets;
mod spec;
mod trial;

pub(crate) use row::row;
pub(crate) use secret::secret;
pub(crate) use sets::catalog;
