// SPDX-License-Identifier: GPL-2.0

//! Read-only files in debugfs.
//!
//! As everywhere in the kernel, debugfs is a convenience: what cannot be created there is missing,
//! and that is all.
//!
//! C header: `include/linux/debugfs.h`.

use super::bindings;
use core::{
    ffi::{c_void, CStr},
    fmt::{self, Write},
    ptr::NonNull,
};

/// Most files in one directory.
const FILES: usize = 3;

/// A file's text, being written. Grows as needed.
pub(crate) struct Seq(NonNull<bindings::seq_file>);

impl Write for Seq {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: The kernel shows us the file for the length of the callback.
        unsafe {
            bindings::zs_rs_seq_write(self.0.as_ptr(), text.as_ptr().cast(), text.len());
        }
        Ok(())
    }
}

/// What a file shows, of which data. May sleep.
pub(crate) trait Show {
    /// What the text is made from.
    type Data: Sync;

    /// Writes the text.
    fn show(data: &Self::Data, seq: &mut Seq) -> fmt::Result;
}

/// A directory, removed with its files when dropped.
///
/// # Invariants
///
/// `dentry` is what `debugfs_create_dir()` returned, an error pointer included. `files` belong to it,
/// and the data behind them outlives the directory.
pub(crate) struct Dir {
    dentry: *mut bindings::dentry,
    files: [*mut bindings::zs_rs_file; FILES],
}

// SAFETY: debugfs locks for itself.
unsafe impl Send for Dir {}
// SAFETY: As above.
unsafe impl Sync for Dir {}

impl Dir {
    fn from_dentry(dentry: *mut bindings::dentry) -> Self {
        Self {
            dentry,
            files: [core::ptr::null_mut(); FILES],
        }
    }

    /// The module's own directory, named after it. Sleeps. Made once, before any other.
    pub(crate) fn root() -> Self {
        // SAFETY: We may sleep.
        Self::from_dentry(unsafe { bindings::zs_rs_debugfs_root() })
    }

    /// A directory below the module's own. Sleeps.
    pub(crate) fn of_pool(name: &CStr) -> Self {
        // SAFETY: We may sleep; the name is a string, and copied.
        Self::from_dentry(unsafe { bindings::zs_rs_debugfs_dir(name.as_ptr().cast()) })
    }

    /// Adds the file `name`. Sleeps.
    ///
    /// # Safety
    ///
    /// `data` outlives `self`.
    pub(crate) unsafe fn add<S: Show>(&mut self, name: &CStr, data: NonNull<S::Data>) {
        /// # Safety
        ///
        /// Called by `seq_file`, with the data that was registered.
        unsafe extern "C" fn show<S: Show>(seq: *mut bindings::seq_file, data: *mut c_void) {
            if let Some(seq) = NonNull::new(seq) {
                // SAFETY: `data` is what `add()` got; removal of the file waits for this callback.
                // Writing to a `Seq` does not fail.
                let _ = unsafe { S::show(&*data.cast::<S::Data>(), &mut Seq(seq)) };
            }
        }

        if let Some(slot) = self.files.iter_mut().find(|file| file.is_null()) {
            // SAFETY: We may sleep; the name is a string, and copied.
            *slot = unsafe {
                bindings::zs_rs_debugfs_file(
                    name.as_ptr().cast(),
                    self.dentry,
                    Some(show::<S>),
                    data.as_ptr().cast(),
                )
            };
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: By the type invariant all of it is ours; the files are gone before their data.
        unsafe {
            bindings::zs_rs_debugfs_remove(self.dentry);
            for file in self.files {
                bindings::zs_rs_debugfs_file_free(file);
            }
        }
    }
}
