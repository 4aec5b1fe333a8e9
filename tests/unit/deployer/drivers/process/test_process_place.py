"""Where a site's component lives, whatever the site is called."""

from pathlib import Path

from services.deployer.drivers.process.place import Place, places


def test_a_colon_in_a_sites_name_is_none_in_its_folder_and_is_found_again(tmp_path: Path) -> None:
    place = Place(tmp_path / "hosts" / "local", "00:1B:44:11:3A:B7", "shop", "web")
    place.folder.root.mkdir(parents=True)
    assert ":" not in str(place.folder.root)
    assert list(places(tmp_path)) == [Place(tmp_path.resolve() / "hosts" / "local", place.site, "shop", "web")]


def test_other_names_are_their_folders(tmp_path: Path) -> None:
    assert (
        Place(tmp_path, "Oslo-1.example.com", "shop", "web").folder.root
        == tmp_path / "sites/Oslo-1.example.com/shop/web"
    )
