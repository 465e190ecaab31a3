"""The contract repository that ships with Crosstown: data, read by `crosstown.contracts.repository`."""
