"""One file per command or group: arguments in, one call, text out."""
