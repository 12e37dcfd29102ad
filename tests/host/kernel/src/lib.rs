// SPDX-License-Identifier: GPL-2.0

//! What `src/front/migrate.rs` needs of the kernel's crate of this name.

#![no_std]

/// C types.
pub mod ffi {
    pub use core::ffi::c_int;
}

/// Error numbers.
pub mod error {
    use core::ffi::c_int;

    /// An error as a hook returns it: negative.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Error(c_int);

    impl Error {
        /// The number.
        pub const fn to_errno(self) -> c_int {
            self.0
        }
    }

    /// The errors that are used.
    pub mod code {
        use super::Error;

        /// Try again.
        pub const EAGAIN: Error = Error(-11);
        /// Invalid argument.
        pub const EINVAL: Error = Error(-22);
    }
}
