"""From a spreadsheet to leads: reading, columns, verdicts, dry run, commit."""
