"""The CrossGuard pack: one module per theme, each policy a pure function over the properties of what is planned."""
