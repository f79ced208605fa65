"""Stand-in of the `postgresql` provider: real statements on a real server, as a role that is no superuser."""
