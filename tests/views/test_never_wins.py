from psipo_explore.views import never_wins, training


def test_it_is_training_on_data_in_which_c_never_wins() -> None:
    figure = never_wins.figure(beta=0.5)
    assert figure.sentence == training.figure(comparisons=training.NEVER_WINS, beta=0.5).sentence
    assert figure.sentence.startswith("c never wins")
    assert never_wins.VIEW.values({}) == {
        **training.VIEW.values({}),
        "comparisons": training.NEVER_WINS,
    }
