//! The names of those who have models, for whoever reads them in a definition. How they are reached is not known here.

/// Providers whose models can be asked. Whether one is set up is a server's matter.
pub const PROVIDERS: [&str; 5] = ["openai", "anthropic", "google", "compatible", "mock"];

/// The models of `mock`, each a way to behave.
pub const MOCK_MODELS: [&str; 6] =
    ["success", "schema_violation", "always_violating", "timeout", "transient_error", "script"];
