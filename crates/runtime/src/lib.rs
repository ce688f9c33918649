//! What every service process needs: configuration, telemetry, clocks, TLS identity, server assembly.
