//! Credentials of hosts: where they stand, how they are kept, and the one way to read them.
//!
//! **What for.** A [`SecretRef`] says where a credential stands: in a variable, in a file, or in the relay's own
//! [`SecretFile`], sealed under the [master key](master). A [`SecretReader`] reads what a reference names, and gives a
//! [`SecretValue`] or a [`SecretFault`], which spoils the row that refers to it and nothing else.
//!
//! **Never.** A value has no `Display` and its `Debug` tells nothing; it stands in no argument, log, error or listing. It
//! is never shown again, not even to the one who put it in.
//!
//! **Invariants.** What is sealed is bound to its name as associated data, so that two sealed values cannot change
//! places, and it names the master key that sealed it, so that a wrong key is told apart from a damaged value. The
//! master key is made at the first secret that is stored and at no other time: who stores none has none.
//!
//! Start reading at [`mod@reference`], then [`reader`].

mod fault;
mod reference;
mod value;

mod seal;

mod master;
mod reader;
mod stored;

mod rekey;

pub(crate) use fault::SecretFault;
pub(crate) use master::MasterKeySource;
pub(crate) use reader::SecretReader;
pub(crate) use reference::SecretRef;
pub(crate) use rekey::rekey;
pub(crate) use stored::SecretFile;
pub(crate) use value::SecretDigest;
pub(crate) use value::SecretValue;
