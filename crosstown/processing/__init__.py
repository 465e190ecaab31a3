"""Programs that read, compute and write exactly once, under a watchdog; Faust under guard; traces."""
