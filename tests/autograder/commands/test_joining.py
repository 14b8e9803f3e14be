"""One command makes the exchange, one sets a student's account up; both say what is missing."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.apps.baseapp import NbGrader
from nbgrader.exchange import ExchangeFactory
from typer.testing import CliRunner, Result

from autograder.commands import joining
from autograder.commands.cli import app
from autograder.commands.joining import NOT_FOR_STUDENTS, OURS
from autograder.grading.exchange.steps import Fetch
from autograder.settings import load_settings
from autograder.spec import load_sections

COURSE_TOML = 'id = "kd-2027"\n\nexchange = "/srv/exchange"\nbook = "https://book.example/kd/"\n'


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    folder = tmp_path / "exchange"
    (folder / "kd-2027" / "outbound").mkdir(parents=True)
    return folder


@pytest.fixture
def join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(joining, "jupyter_config_dir", lambda: str(tmp_path / "jupyter"))
    monkeypatch.setenv("COLUMNS", "300")

    def join(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["join", *map(str, arguments)])

    return join


def test_one_command_is_enough(join, exchange: Path, tmp_path: Path, monkeypatch) -> None:
    result = join(exchange)
    assert result.exit_code == 0, result.output
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    nbgrader = NbGrader()
    nbgrader.load_cwd_config = False
    nbgrader.load_config_file()
    assert nbgrader.config.CourseDirectory.course_id == "kd-2027"
    assert nbgrader.config.Exchange.root == str(exchange)
    assert ExchangeFactory(config=nbgrader.config).fetch_assignment is Fetch
    page = json.loads((tmp_path / "jupyter" / "labconfig" / "page_config.json").read_text())
    assert set(page["disabledExtensions"]) >= set(NOT_FOR_STUDENTS)
    code = f"""
import os
from jupyter_server.serverapp import ServerApp
app = ServerApp(config_dir={str(tmp_path / "jupyter")!r})
app.load_config_file()
print(oct(os.umask(0)), app.config.ServerApp.jpserver_extensions)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "0o77" in done.stdout
    assert "formgrader': False" in done.stdout
    assert join(exchange).exit_code == 0  # again, and nothing is doubled


def test_what_is_wrong_is_said(join, exchange: Path, tmp_path: Path) -> None:
    result = join(tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "There is no folder" in result.output
    (exchange / "other" / "outbound").mkdir(parents=True)
    assert "Which course? It has kd-2027, other" in join(exchange).output
    assert "no course 'third'" in join(exchange, "--course", "third").output
    assert join(exchange, "--course", "other").exit_code == 0


def test_a_path_that_is_no_exchange_gets_one_sentence_that_helps(
    join, exchange: Path, tmp_path: Path
) -> None:
    for empty in ("", " "):
        assert "Which exchange? Type its folder" in join(empty).output
    (tmp_path / "none").mkdir()
    for path, wanted in {
        tmp_path / "none": "Ask your instructor",
        tmp_path / "nowhere": "There is no folder",
        exchange / "kd-2027": f"Is the exchange {exchange}?",
        tmp_path: f"Is the exchange {exchange}?",
    }.items():
        result = join(path)
        assert result.exit_code == 1
        assert wanted in result.output
        assert result.output.count("\n") == 1
    assert not (tmp_path / "jupyter").exists()


def test_who_joined_by_mistake_can_take_it_back(join, exchange: Path, tmp_path: Path) -> None:
    page = tmp_path / "jupyter" / "labconfig" / "page_config.json"
    assert join("--undo").exit_code == 0
    page.parent.mkdir(parents=True)
    page.write_text('{"disabledExtensions": {"mine": true}}')
    assert "join --undo takes this back" in join(exchange).output
    server = tmp_path / "jupyter" / "jupyter_server_config.py"
    server.write_text("c.Mine = 1\n")
    assert join("--undo").exit_code == 0
    assert json.loads(page.read_text()) == {"disabledExtensions": {"mine": True}}
    assert not (tmp_path / "jupyter" / "nbgrader_config.py").exists()
    assert server.read_text() == "c.Mine = 1\n"


def test_a_file_of_somebody_elses_stays(join, exchange: Path, tmp_path: Path) -> None:
    path = tmp_path / "jupyter" / "nbgrader_config.py"
    path.parent.mkdir()
    path.write_text("c.Mine = 1\n")
    result = join(exchange)
    assert result.exit_code == 1
    assert "c.CourseDirectory.course_id = 'kd-2027'" in result.output
    assert path.read_text() == "c.Mine = 1\n"
    assert (path.parent / "jupyter_server_config.py").read_text().startswith(OURS)


def test_what_holds_for_everyone_is_readable_by_everyone(
    join, exchange: Path, tmp_path: Path, monkeypatch
) -> None:
    """Root's umask may be 077; and a shell leaves ~ as it is in --into=~/etc."""
    monkeypatch.setenv("HOME", str(tmp_path))
    into = tmp_path / "etc" / "jupyter"
    before = os.umask(0o077)
    try:
        assert join(exchange, "--into=~/etc/jupyter").exit_code == 0
    finally:
        os.umask(before)
    for folder in (into.parent, into, into / "labconfig"):
        assert folder.stat().st_mode & 0o777 == 0o755, folder
    for path in (*into.glob("*.py"), into / "labconfig" / "page_config.json"):
        assert path.stat().st_mode & 0o777 == 0o644, path


def test_folders_that_an_earlier_umask_closed_are_opened_for_everyone(
    join, exchange: Path, tmp_path: Path
) -> None:
    into = tmp_path / "etc" / "jupyter"
    (into / "labconfig").mkdir(parents=True)
    for folder in (into, into / "labconfig"):
        folder.chmod(0o2700)
    assert join(exchange, "--into", into).exit_code == 0
    for folder in (into, into / "labconfig"):
        assert folder.stat().st_mode & 0o7777 == 0o2755, folder


def test_an_account_s_own_folders_stay_closed(join, exchange: Path, tmp_path: Path) -> None:
    (tmp_path / "jupyter").mkdir(mode=0o700)
    for options in ((), ("--into", tmp_path / "jupyter")):
        assert join(exchange, *options).exit_code == 0
        assert (tmp_path / "jupyter").stat().st_mode & 0o777 == 0o700


def test_the_exchange_may_be_at_home_where_the_shell_leaves_its_path(
    join, exchange: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert join("~/exchange").exit_code == 0
    assert str(exchange) in (tmp_path / "jupyter" / "nbgrader_config.py").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["exchange", "~nobody-here/x"],
        ["join", "~nobody-here/x"],
        ["join", "/tmp", "--into=~nobody-here/x"],
    ],
)
def test_the_home_of_somebody_unknown_is_a_folder_that_is_not_there(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "course.toml").write_text(COURSE_TOML)
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, SystemExit), result.exception


def test_a_setting_may_name_somebody_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "course.toml").write_text(COURSE_TOML)
    monkeypatch.setenv("KDLAB_EXCHANGE", "~nobody-here/x")
    assert load_settings(tmp_path).exchange == tmp_path / "~nobody-here/x"


@pytest.mark.parametrize(
    "text", ['{"mine": 1,}', "[]", '{"disabledExtensions": 5}', '{"disabledExtensions": [[]]}', "ÿ"]
)
def test_settings_of_jupyterlab_that_cannot_be_read_stay(
    join, exchange: Path, tmp_path: Path, text: str
) -> None:
    page = tmp_path / "jupyter" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    page.write_bytes(text.encode("latin-1"))
    for arguments in ([exchange], ["--undo"]):
        result = join(*arguments)
        assert result.exit_code == 1
        assert f"{page} holds no settings of JupyterLab" in result.output
        assert "Traceback" not in result.output
        assert page.read_bytes() == text.encode("latin-1")
        assert (tmp_path / "jupyter" / "nbgrader_config.py").exists() == (arguments != ["--undo"])


def test_a_course_that_is_not_there_is_not_written_down(
    join, exchange: Path, tmp_path: Path
) -> None:
    assert "no course 'reel'" in join(exchange, "--course", "reel").output
    assert not (tmp_path / "jupyter").exists()


def test_a_file_of_somebody_elses_in_another_encoding_stays(
    join, exchange: Path, tmp_path: Path
) -> None:
    path = tmp_path / "jupyter" / "nbgrader_config.py"
    path.parent.mkdir()
    path.write_bytes("# für uns\n".encode("latin-1"))
    assert f"{path} is there already" in join(exchange).output
    assert join("--undo").exit_code == 0
    assert path.read_bytes() == "# für uns\n".encode("latin-1")


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course's folder, in which commands are typed."""
    course = tmp_path / "course"
    course.mkdir()
    (course / "course.toml").write_text(f"# Ours.\n{COURSE_TOML}")
    monkeypatch.chdir(course)
    monkeypatch.delenv("KDLAB_EXCHANGE", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    return course


@pytest.mark.parametrize("name", ["exchange", "of all, 'quoted' Ünï $HOME"])
def test_the_course_remembers_where_the_exchange_is(course: Path, tmp_path: Path, name) -> None:
    """Whatever the next terminal's variables are."""
    place = tmp_path / name
    for _ in range(2):  # again, and nothing changes
        done = CliRunner().invoke(app, ["exchange", f"../{name}"])
        assert done.exit_code == 0, done.output
        assert load_settings(course).exchange == place
        assert f"python -m autograder join {shlex.quote(str(place))}" in done.output
        assert place.stat().st_mode & 0o7777 == 0o1777
        assert "--course" not in done.output
    (place / "last-year" / "outbound").mkdir(parents=True)
    done = CliRunner().invoke(app, ["exchange", f"../{name}"])
    assert f"{shlex.quote(str(place))} --course kd-2027\n" in done.output
    text = (course / "course.toml").read_text(encoding="utf-8")
    assert text.startswith('# Ours.\nid = "kd-2027"\n\nexchange = ')
    assert load_settings(course).book == "https://book.example/kd"


def test_an_exchange_that_students_cannot_use_is_said(
    course: Path, tmp_path: Path, monkeypatch
) -> None:
    def exchange(path: str) -> Result:
        return CliRunner().invoke(app, ["exchange", path])

    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    done = exchange(str(closed / "exchange"))
    assert done.exit_code == 0
    assert f"chmod o+x {closed}" in done.output
    monkeypatch.setenv("KDLAB_CACHE", str(closed))
    remedy = exchange(str(closed / "exchange")).output.partition("chmod -R o+rX ")[2]
    assert str(closed) in shlex.split(remedy.partition("\n")[0])
    monkeypatch.delenv("KDLAB_CACHE")
    closed.chmod(0o755)
    assert str(closed) not in exchange(str(closed / "exchange")).output.partition("The exchange")[0]

    before = (course / "course.toml").read_text()
    done = exchange(str(tmp_path / "none" / "exchange"))
    assert done.exit_code == 2
    assert f"sudo install -d -m 1777 -o $USER {tmp_path}/none/exchange" in done.output
    done = exchange("course.toml")
    assert done.exit_code == 2
    assert "There is a file" in done.output
    monkeypatch.setattr(
        Path, "mkdir", lambda *a, **k: (_ for _ in ()).throw(PermissionError(13, ""))
    )
    done = exchange("/srv/exchange")
    assert done.exit_code == 2
    assert "Type: sudo install -d -m 1777 -o $USER /srv/exchange" in done.output
    assert (course / "course.toml").read_text() == before

    monkeypatch.undo()
    monkeypatch.chdir(course)
    (course / "course.toml").write_text(before.replace("exchange =", '"exchange" ='))
    assert 'Write one: exchange = "' in exchange("../exchange").output
    monkeypatch.chdir(tmp_path)
    assert "There is no" in exchange("new").output
    assert not (tmp_path / "new").exists()


def test_a_variable_that_goes_before_the_setting_is_said(course: Path, monkeypatch) -> None:
    monkeypatch.setenv("KDLAB_EXCHANGE", "/elsewhere")
    done = CliRunner().invoke(app, ["exchange", "../exchange"])
    assert done.exit_code == 1
    assert "unset KDLAB_EXCHANGE" in done.output


def test_the_books_address_is_one_setting(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "course.toml").write_text(COURSE_TOML)
    sections = tmp_path / "checks" / "sections.json"
    sections.write_text(json.dumps({"sections": {"1.1": ["Soft", "book/soft.html"]}}))
    assert load_sections(sections)["1.1"].url == "https://book.example/kd/book/soft.html"
    root = Path(__file__).parents[3]
    for path in (*root.glob("exercises/**/*.ipynb"), *root.glob("exercises/checks/**/*.*")):
        if "__pycache__" not in path.parts:
            assert "localhost" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('id = "kd-2027"\n', "", "lacks id"),
        ('"kd-2027"', "5", "lacks id"),
        ('"kd-2027"', '"a/b"', "holds more than letters"),
        ("book =", "bok =", "lacks book"),
        ('"https://book.example/kd/"', '"book.example"', "does not begin with http"),
        ("id =", "adress = 1\nid =", "adress is no setting"),
        ("id =", "id", "cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    tmp_path: Path, old: str, new: str, wanted: str
) -> None:
    (tmp_path / "course.toml").write_text(COURSE_TOML.replace(old, new))
    with pytest.raises(ValueError, match=wanted):
        load_settings(tmp_path)


def test_settings_that_an_editor_of_windows_saved_are_read(course: Path, monkeypatch) -> None:
    path = course / "course.toml"
    path.write_text('exchange = "x"\nid = "kd"\nbook = "http://b"\n', encoding="utf-8-sig")
    assert load_settings(course).id == "kd"
    assert CliRunner().invoke(app, ["exchange", "../exchange"]).exit_code == 0
    assert load_settings(course).exchange == course.parent / "exchange"
    path.write_bytes(b"# f\xfcr uns\n" + COURSE_TOML.encode())
    with pytest.raises(ValueError, match=r"course\.toml cannot be read: .*Save it as UTF-8"):
        load_settings(course)


def test_the_environment_says_where_the_exchange_is(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "course.toml").write_text(COURSE_TOML.replace("/srv/exchange", "mine"))
    monkeypatch.delenv("KDLAB_EXCHANGE", raising=False)
    assert load_settings(tmp_path).exchange == tmp_path / "mine"
    monkeypatch.setenv("KDLAB_EXCHANGE", os.fspath(tmp_path / "there"))
    assert load_settings(tmp_path).exchange == tmp_path / "there"
