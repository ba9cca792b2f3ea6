"""The forms that bring tables and pictures in: a layout said by hand, another target with one click, rows without a
picture, lists that are put together."""

import io
from zipfile import ZipFile

import pytest
from PIL import Image

from tests.app.test_choosing import data_page, end_of, upload

N = 60


def zipped(names):
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        for i, name in enumerate(names):
            picture = io.BytesIO()
            Image.new("RGB", (12, 12), (i, 90, 255 - i)).save(picture, "PNG")
            archive.writestr(name, picture.getvalue())
    return out.getvalue()


def listed(header, rows):
    return "\n".join(",".join(row) for row in [header, *rows]).encode()


def labels(i):
    return ["no", "yes"][i % 2], ["f", "m"][i // 2 % 2]


def captions(test):
    return " ".join(caption.value for caption in test.caption).replace("\\", "")


def widget(test, kind, ending):
    return next(w for w in getattr(test, kind) if w.key and w.key.endswith(ending))


def test_a_layout_is_said_by_hand_and_the_rows_follow(open_page):
    rows = "\n".join(
        f"{1000 + i},5;{('f', 'm')[i % 2]};{i % 7};{('no', 'yes')[i // 2 % 2]}" for i in range(120)
    )
    test = upload(data_page(open_page), "staff.csv", "pay;sex;churn_risk;hired\n" + rows)
    assert "120 rows, 4 columns, CSV: UTF-8, cells separated by semicolon" in captions(test)
    assert "Suggested: its name says so; it has 2 values." in captions(test)
    widget(test, "button", "_rather_churn_risk").click().run()
    assert widget(test, "selectbox", "_target").value == "churn_risk"
    widget(test, "selectbox", "_delimiter").set_value(",").run()
    assert "120 rows, 2 columns, CSV: UTF-8, cells separated by comma" in captions(test)
    widget(test, "selectbox", "_delimiter").set_value(None).run()
    widget(test, "number_input", "_skip").set_value(150).run()
    assert [error.value for error in test.error] == [
        "'staff.csv' has no table below its first 150 rows; say that fewer stand above it."
    ]
    widget(test, "number_input", "_skip").set_value(None).run()
    assert not test.error
    assert not test.exception


def test_a_numeric_target_is_asked_where_to_cut(open_page):
    rows = "\n".join(f"{20 + i % 50},{('f', 'm')[i % 2]},{i * 500}" for i in range(120))
    test = upload(data_page(open_page), "pay.csv", "age,sex,salary\n" + rows)
    widget(test, "selectbox", "_target").set_value("salary").run()
    assert "Say from which value on 'salary' is the other answer." in [info.value for info in test.info]
    widget(test, "number_input", "_cut_salary").set_value(30000).run()
    assert widget(test, "radio", "_favourable_salary_30000 or more_under 30000")
    widget(test, "radio", "_groups_age").set_value("own").run()
    widget(test, "text_input", "_limits_age").set_value("30, 50").run()
    assert "under 30: 30 rows; 30 to under 50: 50 rows; 50 or more: 40 rows." in captions(test)
    assert not test.exception


@pytest.fixture
def faces(open_page):
    """The form with pictures of two folders."""
    test = data_page(open_page, "pictures")
    names = [f"faces/{('train', 'val')[i % 3 == 0]}/{i}.png" for i in range(N)]
    return test.file_uploader(key="pictures_zip").upload("faces.zip", zipped(names), "application/zip").run()


def test_lists_are_put_together_and_rows_without_a_picture_asked_about(faces):
    part = lambda i: ("train", "val")[i % 3 == 0]  # noqa: E731
    one = listed(("path", "label"), [(f"{part(i)}/{i}.png", labels(i)[0]) for i in range(N + 5)])
    other = listed(("path", "gender"), [(f"{part(i)}/{i}.png", labels(i)[1]) for i in range(N + 5)])
    faces.file_uploader(key="pictures_list").upload("a.csv", one, "text/csv").upload(
        "b.csv", other, "text/csv"
    ).run()
    assert "'a.csv' and 'b.csv' were joined by the name of the picture." in captions(faces)
    assert "60 of 65 rows have a picture; the list names 60 of 60 pictures." in captions(faces)
    assert faces.button(key="import").disabled
    widget(faces, "radio", "_lost_path").set_value("skip").run()
    widget(faces, "radio", "_favourable_label_no_yes").set_value(1).run()
    assert not faces.button(key="import").disabled
    faces.button(key="import").click().run()
    job = end_of("import ")
    faces.run()
    assert job.state == "finished", job.error
    assert "60 images with the answers no, yes" in " ".join(text.value for text in faces.markdown)


def test_pictures_of_other_folders_are_only_matched_by_name_if_that_is_said(faces):
    rows = [(f"other/{i}.png", *labels(i)) for i in range(N)]
    faces.file_uploader(key="pictures_list").upload(
        "a.csv", listed(("path", "label", "gender"), rows), "text/csv"
    ).run()
    assert "0 of 60 rows have a picture" in captions(faces)
    widget(faces, "radio", "_lost_path").set_value("ignored").run()
    assert "60 of 60 rows have a picture; the list names 60 of 60 pictures." in captions(faces)
    assert not faces.exception
