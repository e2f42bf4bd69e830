"""The exercises of the lessons: how answers of each kind are judged, and the twenty questions."""
