//! flowctl-sandbox
