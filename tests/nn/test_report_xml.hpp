// A small strict XML reader: what it accepts is well-formed (for the subset that reports use), and the elements that it
// returns let a test look at a drawing as a viewer does.
#pragma once

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace atto::test {

struct Element {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::string text;  ///< directly inside, unescaped
  double number(const std::string& key) const { return std::stod(attributes.at(key)); }
};

inline std::string unescape(std::string_view text) {
  static const std::map<std::string, char, std::less<>> entities{
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"#39", '\''}};
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<' || (static_cast<unsigned char>(text[i]) < 0x20 && text[i] != '\n' && text[i] != '\t'))
      throw std::runtime_error("raw character in: " + std::string(text));
    if (text[i] != '&') {
      out += text[i];
      continue;
    }
    const std::size_t end = text.find(';', i);
    const auto found = entities.find(text.substr(i + 1, end == text.npos ? end : end - i - 1));
    if (found == entities.end()) throw std::runtime_error("bad entity in: " + std::string(text));
    out += found->second;
    i = end;
  }
  return out;
}

/// All elements in document order. Throws std::runtime_error where the document is not well-formed.
inline std::vector<Element> parse_xml(std::string_view xml) {
  const auto fail = [&](const char* why, std::size_t at) {
    throw std::runtime_error(std::string(why) + ": " + std::string(xml.substr(at, 80)));
  };
  if (xml.starts_with("<!DOCTYPE html>")) xml.remove_prefix(15);
  std::vector<Element> elements;
  std::vector<std::size_t> open;
  bool root = false;
  for (std::size_t i = 0; i < xml.size();) {
    if (xml[i] != '<') {
      const std::size_t end = std::min(xml.find('<', i), xml.size());
      const std::string text = unescape(xml.substr(i, end - i));
      if (!open.empty()) elements[open.back()].text += text;
      else if (text.find_first_not_of("\n ") != text.npos) fail("text outside the root", i);
      i = end;
      continue;
    }
    const std::size_t end = xml.find('>', i);
    if (end == xml.npos) fail("unclosed tag", i);
    std::string_view tag = xml.substr(i + 1, end - i - 1);
    if (tag.starts_with('/')) {
      if (open.empty() || elements[open.back()].name != tag.substr(1)) fail("tag does not match", i);
      open.pop_back();
      i = end + 1;
      continue;
    }
    if (open.empty() && root) fail("second root", i);
    root = true;
    const bool closed = tag.ends_with('/');
    if (closed) tag.remove_suffix(1);
    Element element;
    std::size_t at = 0;
    while (at < tag.size() && (std::isalnum(static_cast<unsigned char>(tag[at])) || tag[at] == '-')) ++at;
    element.name = tag.substr(0, at);
    if (element.name.empty()) fail("tag without a name", i);
    while (at < tag.size()) {
      if (tag[at] != ' ') fail("attributes not apart", i);
      const std::size_t equals = tag.find("=\"", ++at), close = tag.find('"', equals + 2);
      if (equals == tag.npos || close == tag.npos) fail("bad attribute", i);
      const std::string key(tag.substr(at, equals - at));
      if (!element.attributes.emplace(key, unescape(tag.substr(equals + 2, close - equals - 2))).second)
        fail("attribute twice", i);
      at = close + 1;
    }
    elements.push_back(std::move(element));
    if (!closed) open.push_back(elements.size() - 1);
    i = end + 1;
  }
  if (!open.empty() || !root) fail("tag not closed", 0);
  return elements;
}

/// The elements of that name.
inline std::vector<Element> all(const std::vector<Element>& elements, std::string_view name) {
  std::vector<Element> out;
  for (const Element& element : elements)
    if (element.name == name) out.push_back(element);
  return out;
}

/// The contents of all <text> elements.
inline std::vector<std::string> texts(std::string_view svg) {
  std::vector<std::string> out;
  for (const Element& element : all(parse_xml(svg), "text")) out.push_back(element.text);
  return out;
}

}  // namespace atto::test
