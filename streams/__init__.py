"""The programs that events flow through, one a file: intake, cases, casebook, watch."""
