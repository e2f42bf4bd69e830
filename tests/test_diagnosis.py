import csv
import gzip
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from psipo_explore import D1, DPO, IPO, Comparisons, cli, diagnose, kl_divergence, minimise
from psipo_explore.diagnosis import Diagnosis, diagnose_file
from psipo_explore.losses import cdpo

BETAS = [0.05, 1.0, 40.0]
Record = tuple[str, str, str]

records = st.lists(
    st.tuples(
        st.sampled_from(["p", "q", "r"]), st.sampled_from("abcd"), st.sampled_from("abcd")
    ).filter(lambda r: r[1] != r[2]),
    min_size=1,
    max_size=14,
)


def by_prompt(rows: list[Record]) -> dict[str, Comparisons]:
    return {
        prompt: Comparisons.from_pairs([r[1:] for r in rows if r[0] == prompt])
        for prompt, _, _ in rows
    }


def write_jsonl(path: Path, rows: list[Record]) -> Path:
    path.write_text(
        "".join(
            json.dumps(dict(zip(("prompt", "chosen", "rejected"), r, strict=True))) + "\n"
            for r in rows
        )
    )
    return path


def write_csv(path: Path, rows: list[Record]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("chosen", "prompt", "rejected"), *((w, p, lo) for p, w, lo in rows)]
        )
    return path


def assert_same(found: Diagnosis, expected: Diagnosis) -> None:
    """Compare all but the words that say how the records were understood."""
    assert {**found.as_dict(), "read_as": ""} == {**expected.as_dict(), "read_as": ""}


@given(records)
def test_each_prompt_alone_adds_up_to_the_whole(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Record]
) -> None:
    folder = tmp_path_factory.mktemp("data")
    found = diagnose_file(write_jsonl(folder / "pairs.jsonl", rows), BETAS)
    assert_same(found, diagnose_file(write_csv(folder / "pairs.csv", rows), BETAS))
    assert_same(found, diagnose(Comparisons.from_jsonl(folder / "pairs.jsonl"), BETAS))

    parts = by_prompt(rows)
    counts = Counter(rows)
    both_ways = [r for r in counts if (r[0], r[2], r[1]) in counts]
    assert (found.contexts, found.comparisons) == (len(parts), len(rows))
    assert found.actions == len({(p, answer) for p, *pair in rows for answer in pair})
    assert found.duplicates == sum(n - 1 for n in counts.values())
    assert found.contradictions == len(both_ways) / 2
    assert found.contradictory == sum(counts[r] for r in both_ways)

    dpo = {prompt: minimise(data, DPO, 1.0) for prompt, data in parts.items()}
    assert found.collapsing == sum(not fit.attained for fit in dpo.values())
    assert found.vanishing == sum(fit.vanishing.sum() for fit in dpo.values())
    assert found.unconnected == sum(not minimise(data, IPO, 1.0).unique for data in parts.values())
    assert list(found.mean_kl) == ["DPO", "cDPO 0.1", "IPO"]
    for loss in (DPO, cdpo(0.1), IPO):
        each = [
            kl_divergence(
                minimise(data, loss, BETAS).policy, np.full(data.n_actions, 1 / data.n_actions)
            )
            for data in parts.values()
        ]
        assert_allclose(found.mean_kl[loss.name], np.mean(each, axis=0), rtol=1e-9, atol=1e-12)


@given(records, st.randoms())
def test_order_and_names_do_not_matter(rows: list[Record], random: object) -> None:
    def found(given: list[Record]) -> Diagnosis:
        actions = list(dict.fromkeys((p, answer) for p, *pair in given for answer in pair))
        prompts = list(dict.fromkeys(p for p, _, _ in given))
        index = {action: i for i, action in enumerate(actions)}
        ends = np.array([[index[p, w], index[p, lo]] for p, w, lo in given])
        contexts = [prompts.index(p) for p, _ in actions]
        return diagnose(
            Comparisons(
                ends[:, 0], ends[:, 1], [a for _, a in actions], np.ones(len(given)), contexts
            ),
            BETAS,
        )

    shuffled = [(p.upper(), w + "!", lo + "!") for p, w, lo in rows]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = found(rows).as_dict(), found(shuffled).as_dict()
    kl, other_kl = one.pop("mean_kl"), other.pop("mean_kl")
    assert one == other
    for name in kl:
        assert_allclose(kl[name], other_kl[name], rtol=1e-9, atol=1e-12)


def test_the_reference_policy_is_that_given() -> None:
    pi_ref = np.array([0.2, 0.3, 0.5])
    found = diagnose(D1, 1.0, pi_ref=pi_ref, smoothing=0.2)
    assert_allclose(found.mean_kl["DPO"], [-np.log(0.2)], rtol=1e-12)
    assert_allclose(
        found.mean_kl["cDPO 0.2"],
        kl_divergence(minimise(D1, cdpo(0.2), 1.0, pi_ref=pi_ref).policy, pi_ref),
    )


def test_ipo_comes_back_to_the_reference_and_dpo_does_not() -> None:
    found = diagnose(D1, np.geomspace(0.1, 1e6, 20))
    assert_allclose(found.mean_kl["DPO"], np.full(20, np.log(3)), rtol=1e-12)
    assert (np.diff(found.mean_kl["IPO"]) < 0).all()
    assert found.mean_kl["IPO"][-1] < 1e-11


def test_features_say_what_they_separate_and_who_is_forced_out() -> None:
    data = Comparisons.from_pairs([("w", "l")] * 3 + [("l", "w")], actions=("w", "l", "o"))
    assert (diagnose(data).separated, diagnose(data).forced_out) == (None, None)
    overlap = diagnose(data, features=[[1.0], [0.0], [2.0]])
    assert (overlap.separated, overlap.forced_out) == (0, ())
    assert "With the given features, the comparisons overlap" in str(overlap)

    once = Comparisons.from_pairs([("w", "l"), ("w", "l")], actions=("w", "l", "o"))
    found = diagnose(once, features=[[1.0], [0.0], [2.0]])
    assert (found.separated, found.forced_out) == (2, ("w", "l"))
    assert "the given features separate: 2 (100.0%)" in str(found)
    assert "whatever β is: 2 (66.7%): w, l." in str(found)
    assert "the given features separate" in found._repr_html_()
    assert found.as_dict()["forced_out"] == ["w", "l"]
    assert found.as_dict()["separated"] == 2
    assert_allclose(found.mean_kl["IPO"], diagnose(once).mean_kl["IPO"])  # of the tables, as before


def test_answers_forced_out_of_several_prompts_are_named_with_theirs() -> None:
    data = Comparisons([0, 2], [1, 3], ("a", "b", "a", "b"), [1.0, 1.0], [0, 0, 7, 7])
    found = diagnose(data, features=[[1.0], [0.0], [2.0], [0.0]])
    assert found.forced_out == ("b (context 0)", "b (context 7)")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones((2, 1)), r"^features has shape \(2, 1\)"),
        (np.ones((3, 1)), r"^features are the same for the winner and the loser of each"),
    ],
)
def test_features_that_do_not_fit_are_refused(features: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        diagnose(D1, features=features)


def test_a_share_comes_with_its_exact_interval() -> None:
    found = Diagnosis(20, 40, 20, 0, 0, 0, 20, 20, 0, np.ones(1), {})
    share, low, high = found.share_collapsing(0.95)
    assert (share, high) == (1.0, 1.0)
    assert_allclose(low, 0.025 ** (1 / 20), rtol=1e-9)  # Clopper–Pearson's bound for 20 of 20
    with pytest.raises(ValueError, match=r"^level = 1, must be between 0 and 1"):
        found.share_collapsing(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 0.0}, r"^beta"),
        ({"beta": [1.0, 1e-13]}, r"^beta\[1\] = 1e-13, must be at least 1e-12"),
        ({"beta": [[1.0]]}, r"^beta has shape \(1, 1\), must be"),
        ({"beta": []}, r"^beta has shape \(0,\), must be"),
        ({"smoothing": 0.0}, r"^smoothing = 0, must be positive"),
        ({"smoothing": 0.5}, r"^smoothing = 0.5, must be"),
        (
            {"smoothing": 5e-324},
            r"^smoothing = 4.94066e-324, must be positive .*, at least 1e-100 .* and below ½",
        ),
        ({"pi_ref": [0.5, 0.5]}, r"^pi_ref has shape"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        diagnose(D1, **arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^data = "):
        diagnose("pairs.csv")  # type: ignore[arg-type]


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_answers_that_repeat_the_prompt_are_parted_from_it(tmp_path: Path) -> None:
    question, path = [message("user", "2 + 2")], tmp_path / "chat.jsonl"
    pairs = [("4", "5"), ("5", "4"), ("4", "4.0")]
    path.write_text(
        "\n".join(
            json.dumps(
                {
                    "chosen": [*question, message("assistant", w)],
                    "rejected": [*question, message("assistant", lo)],
                }
            )
            for w, lo in pairs
        )
    )
    data = Comparisons.from_jsonl(path)
    assert data.actions == ("assistant: 4", "assistant: 5", "assistant: 4.0")
    assert not data.contexts.any()
    explicit = tmp_path / "explicit.jsonl"
    explicit.write_text(
        "\n".join(
            json.dumps(
                {
                    "prompt": question,
                    "chosen": [message("assistant", w)],
                    "rejected": [message("assistant", lo)],
                }
            )
            for w, lo in pairs
        )
    )
    assert_same(diagnose_file(path), diagnose_file(explicit))


TALK = '{"chosen": [{"role": "user", "content": "%s"}], "rejected": [{"role": "user", "content": "%s"}]}'
GOOD = '{"prompt": "p", "chosen": "a", "rejected": "b"}'
BAD_FILES = [
    ("empty.jsonl", b"", r"empty.jsonl holds no comparison, must hold at least one"),
    (
        "empty.csv",
        b"",
        r"empty.csv holds no comparison, must hold at least one",
    ),
    ("header.csv", b"prompt,chosen,rejected\n", r"header.csv holds no comparison"),
    (
        "other.csv",
        b"topic,chosen,rejected\n1,2,3\n",
        r"line 2: its columns are topic, chosen, rejected, which is no shape .*needs 'prompt'",
    ),
    ("picture.csv", b"\x89PNG\r\n\x1a\n\0\0", r"picture.csv is a picture, must hold records"),
    (
        "picture.jsonl",
        bytes(range(256)),
        r"picture.jsonl is binary, must be text in UTF-8",
    ),
    (
        "zeros.jsonl",
        bytes(4096),
        r"zeros.jsonl is binary, must be text in UTF-8",
    ),
    ("table.jsonl", b"[1, 2]\n", r"table.jsonl, line 1: is a JSON number, must be an object"),
    (
        "half.jsonl",
        GOOD.encode() + b'\n{"prompt": "p", "cho',
        r"half.jsonl, line 2, column 17: Unterminated string",
    ),
    (
        "mixed.jsonl",
        f'{GOOD}\n{{"prompt": [], "chosen": "a", "rejected": "b"}}'.encode(),
        r"line 2: field 'prompt' is a list of messages, must be a string as in line 1",
    ),
    (
        "mixed.jsonl",
        f'{GOOD}\n\n{{"prompt": [{{"role": "user", "content": "p"}}], "chosen": "a", "rejected": '
        f'"b"}}'.encode(),
        r"mixed.jsonl, line 3: field 'prompt' is a list of messages, must be a string as in line 1",
    ),
    (
        "mixed.jsonl",
        f"{GOOD}\n{TALK % ('a', 'b')}".encode(),
        r"mixed.jsonl, line 2: field 'chosen' is a list of messages, must be a string as in line 1",
    ),
    (
        "apart.jsonl",
        (TALK % ("a", "b")).encode(),
        r"line 1: 'chosen' and 'rejected' begin with different messages",
    ),
    (
        "joined.jsonl",
        b'{"chosen": "p a", "rejected": "p b"}',
        r"line 1: its fields are chosen, rejected, which is no shape known here .*needs 'prompt'",
    ),
    (
        "same.jsonl",
        (TALK % ("a", "a")).encode(),
        r"same.jsonl holds no comparison, must hold at least one; 1 with identical answers",
    ),
    (
        "quote.csv",
        b'prompt,chosen,rejected\np,"a,b\n\n',
        r"quote.csv, lines 2 to 3: unexpected end of data, must be CSV",
    ),
    (
        "wide.csv",
        "prompt,chosen,rejected".encode("utf-16"),
        r"wide.csv is in UTF-16, must be text in UTF-8",
    ),
    (
        "blank.jsonl",
        b'{"prompt": "p", "chosen": " ", "rejected": "b"}',
        r"blank.jsonl, line 1: field 'chosen' is empty",
    ),
    (
        "blank.csv",
        b"prompt,chosen,rejected\np,a, \n",
        r"blank.csv, line 2: column 'rejected' is empty",
    ),
    ("deep.jsonl", b"[" * 100_000, r"deep.jsonl, line 1: is nested too deeply"),
    (
        "archive.zip",
        b"PK\x03\x04" + bytes(30),
        r"archive.zip is a ZIP archive, must be unpacked",
    ),
    (
        "half.jsonl.gz",
        gzip.compress(GOOD.encode() * 1000, mtime=0)[:-20],
        r"half.jsonl.gz cannot be unpacked, is cut off or damaged",
    ),
    (
        "pointer.parquet",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
        r"pointer.parquet is a pointer of Git LFS, must be the file itself: run git lfs pull",
    ),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES)
def test_bad_files_are_refused_with_their_line(
    name: str, content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    picture = tmp_path / "picture.svg"
    assert cli.main(["diagnose", str(tmp_path / name), "--figure", str(picture)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert not picture.exists()
    with pytest.raises(ValueError, match=message):
        raise ValueError(err)
    assert err.startswith("psipo: ")
    assert len(err.splitlines()) == 1


def test_empty_folders_and_missing_files_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["diagnose", str(tmp_path)]) == 2
    assert (
        f"psipo: {tmp_path.name} is a folder without files, must hold some"
        in capsys.readouterr().err
    )
    assert cli.main(["diagnose", str(tmp_path / "none.csv")]) == 2
    assert "No such file" in capsys.readouterr().err
    for picture in (tmp_path, tmp_path / "out.png", tmp_path / "no" / "folder.svg"):
        assert cli.main(["diagnose", "none.csv", "--figure", str(picture)]) == 2
        assert (
            f"--figure {picture}: must end in .svg, in a folder that is there"
            in capsys.readouterr().err
        )


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_bad_lines_are_skipped_where_asked_and_counted(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"pairs.{kind}"
    good, bad = {
        "csv": (b"prompt,chosen,rejected\np,a,b\n", b'p, ,a\np,a\np,caf\xe9,b\np,"a"b",c\n'),
        "jsonl": (
            GOOD.encode() + b"\n",
            b'{"prompt": "p", "chosen": " ", "rejected": "a"}\nnot JSON\n\xff\n[]\n',
        ),
    }[kind]
    path.write_bytes(good + bad + good.splitlines()[-1] + b"\n")
    found = diagnose_file(path, skip_bad=True)
    assert (found.comparisons, found.duplicates, found.skipped) == (2, 1, 4)
    word = {"csv": "column", "jsonl": "field"}[kind]
    assert found.first_skipped == (
        f"{path.name}, line {3 - (kind == 'jsonl')}: {word} 'chosen' is empty, must hold an answer"
    )
    kinds = {
        "csv": ["an empty answer", "another number of cells", "not UTF-8", "not CSV"],
        "jsonl": ["an empty answer", "not JSON", "not UTF-8", "not an object"],
    }[kind]
    assert found.skipped_by_kind == dict.fromkeys(kinds, 1)
    assert cli.main(["diagnose", str(path), "--skip-bad"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert (
        "Lines that could not be read, and were skipped: 4 "
        f"({'; '.join(f'{kind}: 1' for kind in kinds)}). The first: {found.first_skipped}." in words
    )
    assert cli.main(["diagnose", str(path)]) == 2


def test_a_file_of_bad_lines_alone_is_refused_even_so(tmp_path: Path) -> None:
    path = tmp_path / "words.jsonl"
    path.write_text("{these\nare\nwords\n")
    with pytest.raises(
        ValueError,
        match=r"^words.jsonl holds no comparison, .*; 3 skipped, first words.jsonl, line 1, ",
    ):
        diagnose_file(path, skip_bad=True)


def test_json_says_what_the_words_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "games.csv"
    path.write_text("question,better,worse\n1,a,b\n1,b,c\n2,a,b\n")
    columns = ["--prompt", "question", "--chosen", "better", "--rejected", "worse"]
    call = ["diagnose", str(path), *columns, "--beta", "0.1", "1", "--smoothing", "0.2"]
    assert cli.main([*call, "--json", "--figure", str(tmp_path / "out.svg")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["contexts"] == 2
    assert found["vanishing"] == 3
    assert found["beta"] == [0.1, 1.0]
    assert_allclose(found["mean_kl"]["DPO"], np.full(2, np.log(6) / 2), rtol=1e-12)
    assert (tmp_path / "out.svg").read_text().startswith("<?xml")
    assert cli.main(call) == 0
    words = capsys.readouterr().out
    assert all(len(line) <= 80 for line in words.splitlines())
    words = " ".join(words.split())
    assert words.startswith(
        "read as named fields: question, better, worse. 3 comparisons of 5 answers to 2 prompts. "
    )
    assert "DPO's loss has no minimum: 2 (100.0%). Answers that vanish there: 3 (60.0%)." in words
    assert re.search(
        r"from 0.1 to 1 lowers the mean KL by 0.0000 under DPO, 0\.\d+ under cDPO 0.2 and "
        r"0\.\d+ under IPO\.$",
        words,
    )
    assert f" 0.1 {' '.join(f'{kl[0]:.4f}' for kl in found['mean_kl'].values())} 1 " in words


def test_what_is_as_one_hopes_is_said_in_words_too() -> None:
    """Diagnose two pairs of answers, each preferred both ways, without comparisons between them.

    There is only one β, so the words compare no two of them.
    """
    data = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")])
    words = str(diagnose(data, beta=1.0))
    assert "Prompts whose comparisons do not connect all answers: 1 (100.0%)" in words
    assert "DPO's loss has a minimum in every prompt: no answer vanishes." in words
    assert "lowers the mean KL" not in words
    assert "lowers the mean KL" in str(diagnose(data, beta=[0.1, 1.0]))


def test_a_diagnosis_shows_itself_in_a_notebook() -> None:
    shown = diagnose(D1, [0.1, 1.0])._repr_html_()
    assert shown.count("<tr>") == 3
    assert "Answers that vanish there: 2 (66.7%)" in shown


def test_an_interrupt_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("psipo_explore.diagnosis.diagnose_file", interrupted)
    assert cli.main(["diagnose", "pairs.csv"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
def test_a_bar_follows_the_file_to_its_end(
    write: Callable[[Path, list[Record]], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path / f"pairs.{write.__name__[6:]}", [("p", "é" * n, "a" * n) for n in range(1, 1500)]
    )
    assert_same(diagnose_file(path, progress=True), diagnose_file(path))
    bars = capsys.readouterr().err
    size = f"{path.stat().st_size / 1e6:.2f}M"
    assert f"{size}/{size}" in bars
    assert "3/3" in bars
    assert "loss" in bars


def test_blanks_belong_to_an_answer_in_either_kind_of_file(tmp_path: Path) -> None:
    rows = [("p", "x", " y"), ("p", "x", "y"), ("p ", "x", "y")]
    found = diagnose_file(write_csv(tmp_path / "a.csv", rows))
    assert_same(found, diagnose_file(write_jsonl(tmp_path / "a.jsonl", rows)))
    assert (found.contexts, found.actions) == (2, 5)


def test_a_quote_that_is_never_closed_costs_as_many_lines_as_it_swallows(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    lines = [f"p{k},a,b" for k in range(100)]
    lines[9] = 'p9,"a,b'
    path.write_text("\n".join(["prompt,chosen,rejected", *lines]) + "\n")
    found = diagnose_file(path, skip_bad=True)
    assert (found.comparisons, found.skipped) == (9, 91)
    assert found.first_skipped == "quotes.csv, lines 11 to 101: unexpected end of data, must be CSV"


@pytest.mark.parametrize(
    "other",
    [
        {"content": "", "tool_calls": [{"name": "g"}]},
        {"tool_calls": [{"name": "f"}, {"name": "g"}]},
        {"content": None, "tool_calls": []},
        {"content": "null"},
        {"content": "None"},
        {"content": [{"type": "text", "text": ""}]},
    ],
    ids=str,
)
def test_messages_differ_in_all_that_a_model_reads(
    other: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "tools.jsonl"
    question = [{"role": "user", "content": "q", "id": 1}]
    one = {"role": "assistant", "content": "", "tool_calls": [{"name": "f"}]}
    answers = [one, {"role": "assistant", **other}, {"role": "assistant", "content": "x"}]
    records = [
        {"chosen": [*question, answers[i]], "rejected": [{**question[0], "id": 2}, answers[j]]}
        for i, j in ((0, 1), (1, 2), (0, 2))
    ]
    path.write_text("\n".join(map(json.dumps, records)))
    found = diagnose_file(path)
    assert (found.contexts, found.actions, found.duplicates) == (1, 3, 0)


def test_a_pipe_is_read_with_a_bar_or_without(tmp_path: Path) -> None:
    rows = [("p", "x", "y"), ("q", "x", "y")]
    path = write_jsonl(tmp_path / "file.jsonl", rows)
    for progress in (False, True):
        pipe = tmp_path / f"pipe{progress}.jsonl"
        os.mkfifo(pipe)
        writer = threading.Thread(target=lambda pipe=pipe: pipe.write_bytes(path.read_bytes()))
        writer.start()
        assert_same(diagnose_file(pipe, progress=progress), diagnose_file(path))
        writer.join()


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [
        sys.executable,
        "-c",
        "import sys; from psipo_explore.cli import main; sys.exit(main())",
        "diagnose",
        *arguments,
    ]
    return subprocess.run(
        command, capture_output=True, env={**os.environ, **environment}, check=False
    )


def test_a_terminal_that_lacks_letters_and_a_reader_that_leaves_lose_nothing(
    tmp_path: Path,
) -> None:
    path = write_jsonl(tmp_path / "file.jsonl", [("p", "x", "y")])
    narrow = run([str(path)], PYTHONIOENCODING="ascii")
    assert narrow.returncode == 0
    assert b"1 comparison of 2 answers to 1 prompt." in narrow.stdout.replace(b"?", b" ")
    assert b"KL(? ? ?_ref)" in narrow.stdout
    script = (
        f'{sys.executable} -c \'from psipo_explore.cli import main; main(["diagnose", '
        f'"{path}"])\' | true'
    )
    left = subprocess.run(["bash", "-c", script], capture_output=True, check=False)
    assert left.stderr == b""
