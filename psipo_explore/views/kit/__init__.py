"""What every view is made of: view, panel, page, and their words, looks and parts."""
