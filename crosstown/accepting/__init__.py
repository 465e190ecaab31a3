"""From a message on an agency's topic to an accepted event, or a dead letter that can be said again."""
