"""The second generator of organisms: folk who know things, and who are asked for favours."""
