"""What any long computation needs: a store, workers, progress, errors."""
