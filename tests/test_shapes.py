from pathlib import Path

import pytest
from preference_files import wins, written

from psipo_explore import Comparisons

KAGGLE = "prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie\n"


@pytest.mark.parametrize(
    "text",
    [
        "history,human_ref_A,human_ref_B,labels\nh,a,b,1.0\nh,a,b,0.0\n",
        KAGGLE + "h,a,b,1.0,0.0,0.0\nh,a,b,0.0,1.0,0.0\n",
    ],
)
def test_pandas_writes_1_as_1_0(tmp_path: Path, text: str) -> None:
    data = Comparisons.from_file(written(tmp_path, text))
    assert wins(data) == [("a", "b", 1.0), ("b", "a", 1.0)]
