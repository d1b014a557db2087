//! Nothing but `tests/engine`: stories of the engine in time that is the runtime's own. They are a package of their own
//! because what stops that clock is a feature of tokio, with which all others would have to be built too.
