"""The linking rule, the timelines that come of it, and what is watched for in them."""
