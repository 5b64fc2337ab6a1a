import numpy as np
import pandas as pd

from inclinet.prediction.distribution import draw_answers


def test_every_answer_is_counted_and_flagged_ones_are_on_top():
    galaxies = pd.DataFrame(
        {"inclination": [46, 47, 62, 90, 38, np.nan], "flag": ["", "x", "", "", "x", "not predicted"]}
    )
    [axes] = draw_answers(galaxies).axes
    assert sum(bar.get_height() for bar in axes.patches) == 5
    assert axes.get_xticks()[0] == 35
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["no flag", "flagged"]
