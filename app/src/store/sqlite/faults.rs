//! What an error of SQLite means for the server: that the same may go well later, or that what the disk says is no longer
//! to be believed. Codes: <https://sqlite.org/rescode.html>.

use rusqlite::{Error, ErrorCode, ffi};

/// Whether the same may go well later: no room is left, or another process holds the lock. Nothing of it is stored.
pub(in crate::store) fn passes(error: &Error) -> bool {
    let Error::SqliteFailure(failure, _) = error else { return false };
    match failure.code {
        ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => true,
        // A write that a quota or a limit on a file's size refuses is one of these; it is written anew when it is tried
        // again.
        ErrorCode::SystemIoFailure => !breaks(error),
        _ => false,
    }
}

/// Whether nothing may be written any more. After a failed sync the system may have dropped what it was to keep, and the
/// next sync says that all is well (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020):
/// only a fresh start, which reads what the disk really has, can tell what is there.
pub(super) fn breaks(error: &Error) -> bool {
    let Error::SqliteFailure(failure, _) = error else { return false };
    match failure.code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => true,
        ErrorCode::SystemIoFailure => matches!(
            failure.extended_code,
            ffi::SQLITE_IOERR_FSYNC
                | ffi::SQLITE_IOERR_DIR_FSYNC
                | ffi::SQLITE_IOERR_READ
                | ffi::SQLITE_IOERR_SHORT_READ
                | ffi::SQLITE_IOERR_CORRUPTFS
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_does_not_break_and_the_other_way_round() {
        let of = |code| {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            (passes(&error), breaks(&error))
        };
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_SHMSIZE] {
            assert_eq!(of(code), (true, false), "{code}");
        }
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC, ffi::SQLITE_IOERR_READ, ffi::SQLITE_CORRUPT]
        {
            assert_eq!(of(code), (false, true), "{code}");
        }
        for code in [ffi::SQLITE_CONSTRAINT, ffi::SQLITE_ERROR, ffi::SQLITE_READONLY] {
            assert_eq!(of(code), (false, false), "{code}");
        }
    }
}
