//! flowctl-tests
