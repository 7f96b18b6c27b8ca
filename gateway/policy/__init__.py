"""Pure decisions: functions and small state machines that are handed `now` and chance."""
