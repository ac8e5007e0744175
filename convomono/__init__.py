"""The composition root: settings, routes, servers, schedule, and the library below every app."""
