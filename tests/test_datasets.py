from psipo_explore import citations


def test_citations_are_stiglers_counts() -> None:
    data = citations()
    assert data.actions == ("Biometrika", "Comm Statist", "JASA", "JRSS-B")
    assert data.win_table().tolist() == [
        [0, 730, 498, 221],
        [33, 0, 68, 17],
        [320, 813, 0, 142],
        [284, 276, 325, 0],
    ]
